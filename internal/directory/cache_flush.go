package directory

import "strings"

// Flush drops every answer and returns how many there were. Searches under way
// are answered to those who wait for them, but not kept.
func (c *Cache) Flush() int { return c.drop(func(*item) bool { return true }) }

// FlushTable drops the answers of one table.
func (c *Cache) FlushTable(table string) int {
	return c.drop(func(i *item) bool { return i.request.Table == table })
}

// FlushDN drops the answers that hold the entry dn or one below it, and the
// empty ones, which it may belong to by now.
func (c *Cache) FlushDN(dn string) int {
	dn = foldDN(dn)
	return c.drop(func(i *item) bool {
		if i.negative() {
			return true
		}
		for _, e := range i.entries {
			if belowDN(foldDN(e.DN), dn) {
				return true
			}
		}
		return false
	})
}

// drop begins a new epoch, so that no answer from before is kept, and then
// drops what is held and matches.
func (c *Cache) drop(match func(*item) bool) int {
	c.epoch.Add(1)
	return c.store.sweep(match)
}

// expire makes all that is known past its time: it is asked again, and given
// only while no server can tell.
func (c *Cache) expire() {
	c.validFrom.Store(c.now())
	c.epoch.Add(1)
}

// foldDN makes DNs comparable that servers and administrators write
// differently (RFC 4514): case, and spaces beside commas, pluses and equals
// signs. Escaped characters stay as they are.
func foldDN(dn string) string {
	if !strings.ContainsAny(dn, " ") {
		return strings.ToLower(dn)
	}
	var b strings.Builder
	for n := 0; n < len(dn); n++ {
		if dn[n] != ' ' {
			b.WriteByte(dn[n])
			continue
		}
		end := n
		for end < len(dn) && dn[end] == ' ' {
			end++
		}
		atEdge := b.Len() == 0 || end == len(dn) || isSeparator(dn[end]) ||
			isSeparator(dn[n-1]) && (n < 2 || dn[n-2] != '\\')
		if !atEdge {
			b.WriteByte(' ')
		}
		n = end - 1
	}
	return strings.ToLower(b.String())
}

func isSeparator(c byte) bool { return c == ',' || c == '+' || c == '=' || c == ';' }

// belowDN tells whether dn is base or below it; both are folded. Everything is
// below the empty DN.
func belowDN(dn, base string) bool {
	rest, ok := strings.CutSuffix(dn, base)
	return ok && (rest == "" || base == "" ||
		strings.HasSuffix(rest, ",") && !strings.HasSuffix(rest, `\,`))
}
