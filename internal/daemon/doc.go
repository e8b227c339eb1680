// Package daemon holds what every Gatepost daemon does around its protocol:
// flags, strict configuration, listeners, limits on connections, log,
// signals, service notification, metrics, certificates.
//
// It is no framework. Nothing here calls back into a daemon except through a
// function that its main passes in, and each piece can be used without the
// others; a main composes them in the order of its own table of contents:
//
//	flags      ParseFlags
//	settings   LoadConfig, ReadSecret
//	log        NewLogger
//	listeners  ParseAddress, Listen, SystemdNames, Guard, Server
//	TLS        LoadCertificates
//	metrics    NewMetrics
//	service    NewNotifier, Signals
//
// Errors are returned, never fatal; exit statuses are for main to choose from
// the Exit constants.
package daemon

// Exit statuses of all Gatepost programs, as sysexits(3) has them.
const (
	ExitUsage    = 2  // wrong command line
	ExitTempFail = 75 // EX_TEMPFAIL: cannot tell now, try again
	ExitConfig   = 78 // EX_CONFIG: something is configured wrongly
)
