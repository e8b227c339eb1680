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
	MariaDB string `json:"mariadb,omitempty"`
	Dovecot string `json:"dovecot,omitempty"`
}

func thisMachine() machine {
	m := machine{Machine: rig.ThisMachine()}
	if out, err := exec.Command("dovecot", "--version").Output(); err == nil {
		m.Dovecot = strings.TrimSpace(string(out))
	}
	return m
}

// String is the head of the table.
func (m machine) String() string {
	return fmt.Sprintf("%s\nMariaDB %s, Dovecot %s (maildir), %s", m.Machine, m.MariaDB, m.Dovecot, m.Go)
}
