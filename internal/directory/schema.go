package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Schema is what a server knows of attributes (RFC 4512 section 4.2).
type Schema struct {
	types map[string]*attributeType // by each name and by OID, in lower case
}

type attributeType struct {
	names []string
	above string // the type that it is derived from
}

// ErrNoSchema says that the schema cannot be read; the server may well have
// one.
var ErrNoSchema = errors.New("the server's schema cannot be read")

// ReadSchema asks a server for its schema.
func ReadSchema(ctx context.Context, s Searcher) (*Schema, error) {
	root, err := s.Search(ctx, &Request{Scope: ScopeBase, Filter: anyEntry, Attributes: []string{"subschemaSubentry"}, Table: "check", NoCache: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSchema, err)
	}
	base := firstEntry(root, "subschemaSubentry")
	if len(base) == 0 {
		return nil, fmt.Errorf("%w: the root DSE does not name it", ErrNoSchema)
	}
	answer, err := s.Search(ctx, &Request{Base: base[0], Scope: ScopeBase, Filter: "(objectClass=subschema)",
		Attributes: []string{"attributeTypes"}, Table: "check", NoCache: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSchema, err)
	}
	schema := &Schema{types: map[string]*attributeType{}}
	for _, text := range firstEntry(answer, "attributeTypes") {
		schema.add(text)
	}
	if len(schema.types) == 0 {
		return nil, fmt.Errorf("%w: there is no attribute type in %s", ErrNoSchema, base[0])
	}
	return schema, nil
}

// add reads an AttributeTypeDescription: ( OID NAME 'x' SUP y … ).
func (s *Schema) add(description string) {
	words := schemaWords(description)
	if len(words) < 2 || words[0] != "(" {
		return
	}
	t := &attributeType{names: []string{words[1]}}
	for i := 2; i < len(words)-1; i++ {
		switch next := words[i+1]; {
		case words[i] == "NAME" && next == "(":
			for i += 2; i < len(words) && words[i] != ")"; i++ {
				t.names = append(t.names, strings.Trim(words[i], "'"))
			}
		case words[i] == "NAME":
			t.names = append(t.names, strings.Trim(next, "'"))
		case words[i] == "SUP":
			t.above = next
		}
	}
	for _, name := range t.names {
		s.types[strings.ToLower(name)] = t
	}
}

// schemaWords divides a description at blanks, outside of quotes; parentheses
// are words.
func schemaWords(text string) (words []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, " ") {
		end := strings.IndexAny(text, " ()")
		switch {
		case text[0] == '\'':
			if end = strings.IndexByte(text[1:], '\'') + 2; end == 1 {
				end = len(text)
			}
		case end == 0:
			end = 1
		case end < 0:
			end = len(text)
		}
		words, text = append(words, text[:end]), text[end:]
	}
	return words
}

// Knows says whether there is an attribute of that name, or options of it.
func (s *Schema) Knows(attribute string) bool {
	name, _, _ := strings.Cut(attribute, ";")
	return s.types[strings.ToLower(name)] != nil
}

// maxAbove bounds how far types are derived from each other.
const maxAbove = 20

// lineage gives all names of an attribute, then of what it is derived from, in
// lower case; for an unknown one its own name.
func (s *Schema) lineage(attribute string) (names []string) {
	t := s.types[strings.ToLower(attribute)]
	if t == nil {
		return []string{strings.ToLower(attribute)}
	}
	for range maxAbove {
		for _, name := range t.names {
			names = append(names, strings.ToLower(name))
		}
		if t = s.types[strings.ToLower(t.above)]; t == nil {
			break
		}
	}
	return names
}

// firstEntry gives the values of an attribute of an answer's first entry.
func firstEntry(a *Answer, name string) []string {
	if len(a.Entries) == 0 {
		return nil
	}
	return valuesOf(a.Entries[0], []string{name})
}
