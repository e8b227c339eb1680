package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// graph has the direct imports of each package, tests left out.
type graph map[string][]string

// load asks the go command for the graph of all our packages under the build
// tags.
func load(tags string, patterns ...string) (graph, error) {
	args := append([]string{"list", "-deps", "-json=ImportPath,Imports", "-tags=" + tags}, patterns...)
	cmd := exec.Command("go", args...)
	cmd.Dir = "../.."
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, complaint.String())
	}
	g := graph{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return g, nil
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		g[pkg.ImportPath] = pkg.Imports
	}
}

// ours lists the packages of this module.
func (g graph) ours() []string {
	var names []string
	for name := range g {
		if strings.HasPrefix(name, module) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// chain is a way from one package to another.
type chain []string

func (c chain) String() string { return strings.Join(c, " → ") }

// chain finds the shortest way from a package to one that is wanted.
func (g graph) chain(from string, wanted func(string) bool) chain {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range g[queue[0]] {
			if _, seen := before[next]; seen {
				continue
			}
			before[next] = queue[0]
			if wanted(next) {
				var way chain
				for p := next; p != ""; p = before[p] {
					way = append(way, p)
				}
				slices.Reverse(way)
				return way
			}
			queue = append(queue, next)
		}
	}
	return nil
}
