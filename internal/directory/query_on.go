package directory

import (
	"context"
	"fmt"
	"slices"
)

// SearchOn asks one server only, for which see Answer.Server. Otherwise it is
// Search; when the server's result is an error, such as that a limit was
// reached, the entries that came are returned with it.
func (p *Pool) SearchOn(ctx context.Context, uri string, r *Request) (*Answer, error) {
	others := slices.Clone(p.servers) // the list never changes
	others = slices.DeleteFunc(others, func(s *server) bool { return s.at.uri == uri })
	if len(others) == len(p.servers) {
		return nil, fmt.Errorf("%w: there is no server %s", ErrUnavailable, uri)
	}
	return p.search(ctx, r, others)
}

// Servers returns the URIs of the servers, the preferred one first.
func (p *Pool) Servers() []string {
	var uris []string
	for _, s := range p.servers {
		uris = append(uris, s.at.uri)
	}
	return uris
}
