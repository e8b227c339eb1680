package directory

import "github.com/prometheus/client_golang/prometheus"

// Collector shows the counters of directories, summed up, and the state of
// each server.
type Collector struct{ stats func() []DirectoryStats }

// NewCollector makes a collector for the directories whose counters stats gives.
func NewCollector(stats func() []DirectoryStats) *Collector { return &Collector{stats} }

type directoryMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*DirectoryStats) float64
}

func directoryMetrics() []directoryMetric {
	metric := func(kind prometheus.ValueType, name, help string, value func(*DirectoryStats) float64) directoryMetric {
		return directoryMetric{prometheus.NewDesc("gatepost_directory_"+name, help, nil, nil), kind, value}
	}
	count, level := prometheus.CounterValue, prometheus.GaugeValue
	return []directoryMetric{
		metric(count, "cache_hits_total", "Searches answered from memory.", func(s *DirectoryStats) float64 { return float64(s.Cache.Hits + s.Cache.NegativeHits) }),
		metric(count, "cache_misses_total", "Searches that had to ask.", func(s *DirectoryStats) float64 { return float64(s.Cache.Misses) }),
		metric(count, "cache_shared_total", "Misses that joined a search under way.", func(s *DirectoryStats) float64 { return float64(s.Cache.Shared) }),
		metric(count, "cache_stale_total", "Answers past their time, given because no server could tell.", func(s *DirectoryStats) float64 { return float64(s.Cache.Stale) }),
		metric(count, "cache_evictions_total", "Answers dropped for want of room.", func(s *DirectoryStats) float64 { return float64(s.Cache.Evictions) }),
		metric(level, "cache_entries", "Answers held.", func(s *DirectoryStats) float64 { return float64(s.Cache.Entries) }),
		metric(level, "cache_bytes", "Memory of the answers held.", func(s *DirectoryStats) float64 { return float64(s.Cache.Bytes) }),
		metric(count, "retries_total", "Searches asked again because a connection was lost.", func(s *DirectoryStats) float64 { return float64(s.Pool.Retried) }),
	}
}

// serverMetric is one of each server; value takes it from one directory's
// view, and of several views the sum or, for a state, the worst is shown.
type serverMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*ServerStats) float64
	worst bool
}

func serverMetrics() []serverMetric {
	metric := func(kind prometheus.ValueType, name, help string, value func(*ServerStats) float64) serverMetric {
		desc := prometheus.NewDesc("gatepost_directory_server_"+name, help, []string{"server"}, nil)
		return serverMetric{desc, kind, value, name == "up"}
	}
	return []serverMetric{
		metric(prometheus.GaugeValue, "up", "Whether the server can be asked.", func(s *ServerStats) float64 {
			if s.State == "up" {
				return 1
			}
			return 0
		}),
		metric(prometheus.GaugeValue, "connections", "Open connections.", func(s *ServerStats) float64 { return float64(s.Connections) }),
		metric(prometheus.CounterValue, "searches_total", "Searches sent.", func(s *ServerStats) float64 { return float64(s.Searches) }),
		metric(prometheus.CounterValue, "failures_total", "Connections that failed or were lost.", func(s *ServerStats) float64 { return float64(s.Failures) }),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range directoryMetrics() {
		ch <- m.desc
	}
	for _, m := range serverMetrics() {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	stats := c.stats()
	if len(stats) == 0 {
		return
	}
	for _, m := range directoryMetrics() {
		sum := 0.0
		for i := range stats {
			sum += m.value(&stats[i])
		}
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, sum)
	}
	// Several directories may be on one server.
	servers := map[string][]*ServerStats{}
	for i := range stats {
		for j := range stats[i].Pool.Servers {
			s := &stats[i].Pool.Servers[j]
			servers[s.URI] = append(servers[s.URI], s)
		}
	}
	for uri, all := range servers {
		for _, m := range serverMetrics() {
			value := m.value(all[0])
			for _, s := range all[1:] {
				if m.worst {
					value = min(value, m.value(s))
				} else {
					value += m.value(s)
				}
			}
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value, uri)
		}
	}
}
