package ldapmap

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/daemon"
)

// Metrics are ldapmap's counters. Labels are the names of tables and closed
// sets, never keys.
type Metrics struct {
	lookups *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	unknown prometheus.Counter
	broken  prometheus.Counter
	refused *prometheus.CounterVec

	registerer prometheus.Registerer
}

// NewMetrics registers ldapmap's counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatepost_ldapmap_lookups_total", Help: "Look-ups by table and reply (ok, notfound, temp, perm)."},
			[]string{"table", "reply"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gatepost_ldapmap_lookup_seconds", Help: "Time from a request to its reply, by table.",
			Buckets: []float64{.00002, .00005, .0001, .0002, .0005, .001, .002, .005, .01, .05, .2, 1, 5, 30}},
			[]string{"table"}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gatepost_ldapmap_unknown_tables_total", Help: "Requests that name no table that is there."}),
		broken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gatepost_ldapmap_connections_cut_total", Help: "Connections ended because the peer broke the protocol or stopped reading."}),
	}
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gatepost_ldapmap_connections_refused_total", Help: "Connections refused, by reason (peer: not allowed, full: too many)."},
		[]string{"reason"})
	m.registerer = r
	r.MustRegister(m.lookups, m.seconds, m.unknown, m.broken, m.refused)
	return m
}

// Connections shows how many connections are open. It is called once.
func (m *Metrics) Connections(open func() int) {
	m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gatepost_ldapmap_connections", Help: "Open connections."}, func() float64 { return float64(open()) }))
}

// accepted counts a connection that was let in, with an empty reason, or not.
func (m *Metrics) accepted(why daemon.Refusal) {
	if why != "" {
		m.refused.WithLabelValues(string(why)).Inc()
	}
}

// mapCounts are the counters of one table, found once.
type mapCounts struct {
	ok, notFound, temp, perm prometheus.Counter
	seconds                  prometheus.Observer
}

func (m *Metrics) of(table string) *mapCounts {
	return &mapCounts{
		ok:       m.lookups.WithLabelValues(table, "ok"),
		notFound: m.lookups.WithLabelValues(table, "notfound"),
		temp:     m.lookups.WithLabelValues(table, "temp"),
		perm:     m.lookups.WithLabelValues(table, "perm"),
		seconds:  m.seconds.WithLabelValues(table),
	}
}

func (c *mapCounts) note(status string, took time.Duration) {
	switch status {
	case statusOK:
		c.ok.Inc()
	case statusNotFound:
		c.notFound.Inc()
	case statusTemp:
		c.temp.Inc()
	default:
		c.perm.Inc()
	}
	c.seconds.Observe(took.Seconds())
}
