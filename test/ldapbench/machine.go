package main

import (
	"fmt"
	"os/exec"
	"strings"

	"gatepost/test/rig"
)

// machine says what the figures were taken on.
type machine struct {
	rig.Machine
	Postfix string `json:"postfix"`
	Slapd   string `json:"slapd"`
}

func thisMachine() machine {
	m := machine{Machine: rig.ThisMachine()}
	if out, err := exec.Command("postconf", "-dh", "mail_version").Output(); err == nil {
		m.Postfix = strings.TrimSpace(string(out))
	}
	if out, err := exec.Command("dpkg-query", "-f", "${Version}", "-W", "slapd").Output(); err == nil {
		m.Slapd = strings.TrimSpace(string(out))
	}
	return m
}

// String is the head of the table.
func (m machine) String() string {
	return fmt.Sprintf("%s\nPostfix %s, slapd %s, %s, %d entries", m.Machine, m.Postfix, m.Slapd, m.Go, 3+users+groups)
}
