package dbmail

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// hasher gives the lower-case hex digest of a blob or header value, as
// dbmail.conf's hash_algorithm names it.
type hasher func([]byte) string

func newHasher(name string) (hasher, error) {
	switch strings.ToLower(name) {
	case "", "sha1":
		return func(b []byte) string { h := sha1.Sum(b); return hex.EncodeToString(h[:]) }, nil
	case "md5":
		return func(b []byte) string { h := md5.Sum(b); return hex.EncodeToString(h[:]) }, nil
	case "sha256":
		return func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }, nil
	case "sha512":
		return func(b []byte) string { h := sha512.Sum512(b); return hex.EncodeToString(h[:]) }, nil
	case "whirlpool", "tiger":
		return nil, fmt.Errorf("hash_algorithm %q is not supported; md5, sha1, sha256 and sha512 are", name)
	}
	return nil, fmt.Errorf("unknown hash_algorithm %q; want md5, sha1, sha256 or sha512", name)
}

// hashName guesses the algorithm from a digest's length; "" for none of ours.
func hashName(digest string) string {
	switch len(strings.TrimSpace(digest)) {
	case 32:
		return "md5"
	case 40:
		return "sha1"
	case 64:
		return "sha256"
	case 128:
		return "sha512"
	}
	return ""
}
