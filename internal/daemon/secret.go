package daemon

import "errors"

// ReadSecret reads a password from the file at path.
func ReadSecret(path string) (string, error) { return "", errors.New("not written yet") }
