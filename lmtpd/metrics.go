package lmtpd

import (
	"github.com/emersion/go-smtp"
	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/dbmail"
	"gatepost/internal/message"
)

// Metrics are lmtpd's counters. Labels come from closed sets, never from
// addresses.
type Metrics struct {
	sessions   prometheus.Counter
	recipients *prometheus.CounterVec
	messages   prometheus.Counter
	unsplit    prometheus.Counter
	octets     prometheus.Counter
	automatics *prometheus.CounterVec
}

const (
	stageRcpt = "rcpt"
	stageData = "data"
)

// NewMetrics registers lmtpd's counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		sessions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gatepost_lmtpd_sessions_total", Help: "LMTP sessions begun with LHLO."}),
		recipients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatepost_lmtpd_recipients_total", Help: "Decisions about recipients, by stage (rcpt, data), class of reply (2, 4, 5) and enhanced code."},
			[]string{"stage", "class", "code"}),
		messages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gatepost_lmtpd_messages_total", Help: "Messages received completely."}),
		unsplit: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gatepost_lmtpd_messages_unsplit_total", Help: "Messages stored as one header and one body because DBMail's layout cannot hold their parts."}),
		octets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gatepost_lmtpd_message_octets_total", Help: "Octets of the messages received."}),
	}
	m.automatics = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gatepost_lmtpd_automatic_mails_total", Help: "Auto-replies and notifications, by kind (reply, notification, any) and outcome (sent, before: was sent already, refused, unsent: no smarthost, lost: given up)."},
		[]string{"kind", "outcome"})
	r.MustRegister(m.sessions, m.recipients, m.messages, m.unsplit, m.octets, m.automatics)
	return m
}

func (m *Metrics) message(msg *message.Message) {
	m.messages.Inc()
	m.octets.Add(float64(msg.Size))
	if msg.Unsplit {
		m.unsplit.Inc()
	}
}

func (m *Metrics) automatic(kind, outcome string) {
	m.automatics.WithLabelValues(kind, outcome).Inc()
}

func (m *Metrics) recipient(stage string, v *smtp.SMTPError) {
	class, code := "2", "2.0.0"
	if v != nil {
		class, code = string(rune('0'+v.Code/100)), enhanced(v.EnhancedCode)
	}
	m.recipients.WithLabelValues(stage, class, code).Inc()
}

func enhanced(c smtp.EnhancedCode) string {
	b := make([]byte, 0, 8)
	for i, n := range c {
		if i > 0 {
			b = append(b, '.')
		}
		if n >= 10 {
			b = append(b, byte('0'+n/10))
		}
		b = append(b, byte('0'+n%10))
	}
	return string(b)
}

// StoreCollector shows a store's counters. get may give nil while there is no store.
type StoreCollector struct{ get func() *dbmail.Store }

// NewStoreCollector makes a collector for the store that get returns.
func NewStoreCollector(get func() *dbmail.Store) *StoreCollector { return &StoreCollector{get} }

type storeCounter struct {
	desc  *prometheus.Desc
	value func(*dbmail.Metrics) float64
}

func storeCounters() []storeCounter {
	d := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("gatepost_store_"+name, help, nil, nil)
	}
	return []storeCounter{
		{d("groups_total", "Transactions that ended."), func(m *dbmail.Metrics) float64 { return float64(m.Groups.Load()) }},
		{d("group_errors_total", "Transactions that failed for good."), func(m *dbmail.Metrics) float64 { return float64(m.GroupErrors.Load()) }},
		{d("groups_split_total", "Groups that were written again message by message."), func(m *dbmail.Metrics) float64 { return float64(m.GroupsSplit.Load()) }},
		{d("messages_total", "Messages in committed transactions."), func(m *dbmail.Metrics) float64 { return float64(m.Messages.Load()) }},
		{d("retries_total", "Attempts after the first: deadlocks, lost connections."), func(m *dbmail.Metrics) float64 { return float64(m.Retries.Load()) }},
		{d("repeats_total", "Copies that an earlier attempt had stored."), func(m *dbmail.Metrics) float64 { return float64(m.Repeats.Load()) }},
		{d("write_seconds_total", "Time spent in transactions."), func(m *dbmail.Metrics) float64 { return float64(m.WriteNanos.Load()) / 1e9 }},
	}
}

// Describe implements prometheus.Collector.
func (c *StoreCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, s := range storeCounters() {
		ch <- s.desc
	}
}

// Collect implements prometheus.Collector.
func (c *StoreCollector) Collect(ch chan<- prometheus.Metric) {
	store := c.get()
	if store == nil {
		return
	}
	for _, s := range storeCounters() {
		ch <- prometheus.MustNewConstMetric(s.desc, prometheus.CounterValue, s.value(store.Metrics()))
	}
}
