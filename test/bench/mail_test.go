package main

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gatepost/internal/message"
)

func split(t *testing.T, m *template) *message.Message {
	t.Helper()
	raw, err := message.ReadRaw(bytes.NewReader(bytes.Join([][]byte{m.head, m.body, m.foot}, nil)), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return message.Split(raw, message.Options{Sender: m.sender})
}

func TestTemplate(t *testing.T) {
	for _, c := range []struct{ size, leaves, parts int }{{4 << 10, 2, 5}, {100 << 10, 3, 8}} {
		r := rand.New(rand.NewPCG(1, uint64(c.size)))
		for range 20 {
			m := newTemplate(r, c.size)
			if got := m.size(); got < c.size*49/50 || got > c.size*51/50 {
				t.Errorf("%d octets, want %d", got, c.size)
			}
			m.stamp(1)
			one := split(t, m)
			if n := m.attachment(); c.size >= attachmentFrom && !slices.ContainsFunc(one.Parts, func(p message.Part) bool { return len(p.Data) == n || len(p.Data) == n-1 }) {
				t.Errorf("no part of %d octets", n)
			}
			if one.Unsplit || len(one.Parts) < c.parts {
				t.Fatalf("%d parts, unsplit %v:\n%s", len(one.Parts), one.Unsplit, m.head)
			}
			m.stamp(2)
			two := split(t, m)
			same, differ := 0, 0
			for i, p := range one.Parts {
				switch {
				case !bytes.Equal(p.Data, two.Parts[i].Data):
					differ++
				case len(p.Data) > 200:
					t.Errorf("part %d of %d octets is the same in both copies:\n%s", i, len(p.Data), p.Data)
				default:
					same++
				}
			}
			if differ < c.leaves+1 || same == 0 {
				t.Errorf("%d parts differ, %d are the same", differ, same)
			}
		}
	}
}

func TestTemplateIsOnTheWireAlready(t *testing.T) {
	for seed := range uint64(50) {
		m := newTemplate(rand.New(rand.NewPCG(seed, 0)), 4<<10<<(seed%2*5))
		m.stamp(seed)
		for line := range strings.SplitAfterSeq(string(bytes.Join([][]byte{m.head, m.body, m.foot}, nil)), "\r\n") {
			if strings.HasPrefix(line, ".") || len(line) > 200 || strings.Count(line, "\n") != strings.Count(line, "\r\n") || strings.Contains(line, "@@") {
				t.Fatalf("line %q", line)
			}
		}
	}
}
