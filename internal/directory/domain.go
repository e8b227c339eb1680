package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Domain is a mail domain.
type Domain struct {
	DN   string
	UUID string
	// Names of the domain, as the directory writes them.
	Names []string
}

// Domains finds them.
type Domains struct{ asker }

// ByName finds the entry of a domain, in A- or U-labels.
func (d *Domains) ByName(ctx context.Context, name string) (*Domain, error) {
	at := &d.preset.Attributes
	what := fmt.Sprintf("domain %q", name)
	switch {
	case len(at.Domain) == 0:
		return nil, errors.New("the directory's preset has no domains; set attributes.domain")
	case name == "":
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	entries, err := d.find(ctx, "domain", allOf(isClass(at.DomainClass), equals(at.Domain, domainForms(name)...)),
		slices.Concat(at.UUID, at.Domain))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", what, err)
	}
	e, err := one(entries, what)
	if err != nil {
		return nil, err
	}
	return &Domain{DN: e.DN, UUID: at.uuid(e), Names: valuesOf(e, at.Domain)}, nil
}

// Has says whether the directory has a mail domain, in however many entries.
// An error means that it cannot tell.
func (d *Domains) Has(ctx context.Context, name string) (bool, error) {
	_, err := d.ByName(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case errors.Is(err, ErrAmbiguous):
		return true, nil
	}
	return err == nil, err
}
