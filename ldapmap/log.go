package ldapmap

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	linesPerSecond = 20  // about what fails; the rest is counted
	maxLogged      = 256 // bytes of a key or name
)

// lineLimit keeps an outage at full load from writing a line for each look-up.
// The next line that is written says how many were not.
type lineLimit struct {
	mu     sync.Mutex
	second int64
	count  int
	left   int // out since the last one written
}

func (l *lineLimit) write(log *slog.Logger, level slog.Level, message string, fields ...any) {
	if !log.Enabled(context.Background(), level) {
		return
	}
	l.mu.Lock()
	if now := time.Now().Unix(); now != l.second {
		l.second, l.count = now, 0
	}
	if l.count++; l.count > linesPerSecond {
		l.left++
		l.mu.Unlock()
		return
	}
	left := l.left
	l.left = 0
	l.mu.Unlock()
	if left > 0 {
		fields = append(fields, "lines_left_out", left)
	}
	log.Log(context.Background(), level, message, fields...)
}

// cut bounds what a peer can write into the log.
func cut(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "…"
	}
	return s
}
