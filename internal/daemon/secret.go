package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxSecret bounds the file of a password or token, in bytes.
const maxSecret = 64 << 10

// ReadSecret reads a password from the file at path, without its last line
// end. The path "credential:NAME" means what systemd's LoadCredential= passed
// under NAME. A file that others may read is refused: its content is no secret
// any more. Errors never show the content.
func ReadSecret(path string) (string, error) {
	real, err := secretPath(path)
	if err != nil {
		return "", err
	}
	file, err := os.Open(real)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("read secret: %s is a directory", real)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", fmt.Errorf("read secret: %s has mode %04o and is open to every user; chmod o= it, and change the secret if it was read", real, mode)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if len(content) > maxSecret {
		return "", fmt.Errorf("read secret: %s is longer than %d bytes", real, maxSecret)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("read secret: %s is empty", real)
	}
	return secret, nil
}

// secretPath resolves "credential:NAME" (systemd.exec(5), CREDENTIALS).
func secretPath(path string) (string, error) {
	name, ok := strings.CutPrefix(path, "credential:")
	if !ok {
		return path, nil
	}
	if name == "" || name != filepath.Base(name) || name == ".." {
		return "", fmt.Errorf("read secret: %q is not the name of a credential", name)
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", errors.New("read secret: no credentials were passed (CREDENTIALS_DIRECTORY is not set); start the daemon from its unit with LoadCredential=" + name + ":FILE, or name the directory that has " + name + " in that variable")
	}
	return filepath.Join(dir, name), nil
}
