package daemon

import (
	"fmt"
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes lines of the format, "text" (also
// when empty) or "json", from level up. The level may be changed while running.
func NewLogger(w io.Writer, format string, level *slog.LevelVar) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: level}
	switch format {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("unknown log format %q; write \"text\" or \"json\"", format)
}
