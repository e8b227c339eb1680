// Package postconf reads a configuration of Postfix through postconf(1) and
// finds the tables that its parameters name.
package postconf

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Config is a configuration of Postfix.
type Config struct {
	// Main are the parameters that main.cf sets, as they stand there but on
	// one line each; Order is theirs.
	Main  map[string]string
	Order []string
	// Services are those of master.cf that set parameters of their own.
	Services []Service

	program, dir string
	known        map[string]bool // parameters that Postfix has
}

// Service is a service of master.cf, such as "submission/inet".
type Service struct {
	Name   string
	Values map[string]string // of its -o options
	Order  []string
}

// Read asks postconf, the program, for the configuration in a directory; an
// empty one is Postfix's own.
func Read(ctx context.Context, program, dir string) (*Config, error) {
	c := &Config{program: program, dir: dir, known: map[string]bool{}}
	text, err := c.run(ctx, "-n")
	if err != nil {
		return nil, err
	}
	c.Main, c.Order = pairs(text)
	if text, err = c.run(ctx, "-P"); err != nil {
		return nil, err
	}
	overrides, order := pairs(text)
	for _, name := range order {
		// service/type/parameter
		last := strings.LastIndexByte(name, '/')
		if last < 0 {
			continue
		}
		c.service(name[:last]).set(name[last+1:], overrides[name])
	}
	if text, err = c.run(ctx, "-d"); err != nil {
		return nil, err
	}
	all, _ := pairs(text)
	for name := range all {
		c.known[name] = true
	}
	return c, nil
}

func (c *Config) service(name string) *Service {
	for i := range c.Services {
		if c.Services[i].Name == name {
			return &c.Services[i]
		}
	}
	c.Services = append(c.Services, Service{Name: name, Values: map[string]string{}})
	return &c.Services[len(c.Services)-1]
}

func (s *Service) set(name, value string) {
	if _, again := s.Values[name]; !again {
		s.Order = append(s.Order, name)
	}
	s.Values[name] = value
}

// Values gives parameters as they are in force, with every $name expanded.
func (c *Config) Values(ctx context.Context, names ...string) (map[string]string, error) {
	text, err := c.run(ctx, append([]string{"-x"}, names...)...)
	if err != nil {
		return nil, err
	}
	values, _ := pairs(text)
	return values, nil
}

// run gives the output of postconf, whose warnings are about tables that we
// read ourselves.
func (c *Config) run(ctx context.Context, args ...string) (string, error) {
	if c.dir != "" {
		args = append([]string{"-c", c.dir}, args...)
	}
	cmd := exec.CommandContext(ctx, c.program, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(complaint.String()), "\n")
		return "", fmt.Errorf("postconf %s: %w: %s", strings.Join(args, " "), err, lines[len(lines)-1])
	}
	return out.String(), nil
}

// pairs reads "name = value" lines.
func pairs(text string) (values map[string]string, order []string) {
	values = map[string]string{}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if name = strings.TrimSpace(name); found {
			values[name] = strings.TrimSpace(value)
			order = append(order, name)
		}
	}
	return values, order
}
