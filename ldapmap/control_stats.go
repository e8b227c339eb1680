package ldapmap

import (
	"slices"
	"time"

	"gatepost/internal/directory"
)

// DirectoryInfo is the state of one directory, which tables that connect alike
// share.
type DirectoryInfo struct {
	Tables  []string     `json:"tables"`
	Servers []ServerInfo `json:"servers"` // by priority
	Cache   CacheInfo    `json:"cache"`
	Doubt   DoubtInfo    `json:"doubt"`
	Hedged  uint64       `json:"hedged"`  // searches asked twice because a server was silent
	Retried uint64       `json:"retried"` // searches asked again because a connection was lost
	// Followed is the server whose changes each base is followed on; empty
	// while none is.
	Followed map[string]string `json:"followed,omitempty"`
	Changes  uint64            `json:"changes,omitempty"` // that came so
}

// ServerInfo is the state of one server.
type ServerInfo struct {
	URI         string    `json:"uri"`
	State       string    `json:"state"` // connecting, up or down
	Since       time.Time `json:"since"`
	Connections int       `json:"connections"`
	InFlight    int       `json:"in_flight"`
	Searches    uint64    `json:"searches"`
	Failures    uint64    `json:"failures"`
	Why         string    `json:"why,omitempty"` // of the last failure
}

// CacheInfo are the counters of a cache since it began, and its size.
type CacheInfo struct {
	Hits         uint64 `json:"hits"`
	NegativeHits uint64 `json:"negative_hits"`
	Misses       uint64 `json:"misses"`
	Shared       uint64 `json:"shared"`
	Stale        uint64 `json:"stale"`
	Refreshes    uint64 `json:"refreshes"`
	Evictions    uint64 `json:"evictions"`
	Entries      int    `json:"entries"`
	Negatives    int    `json:"negatives"`
	Bytes        int    `json:"bytes"`
	MaxBytes     int    `json:"max_bytes"`
}

// DoubtInfo are the counters of what was found to be nothing.
type DoubtInfo struct {
	Empties uint64 `json:"empties"` // empty answers
	Proofs  uint64 `json:"proofs"`  // asked for because of them
	Doubts  uint64 `json:"doubts"`  // empty answers that were not believed
	Bursts  uint64 `json:"bursts"`  // alarms
}

// DirectoryInfos tell the state of all directories.
func (l *Live) DirectoryInfos() []DirectoryInfo {
	infos := []DirectoryInfo{}
	for id, d := range l.groups {
		info := directoryInfo(d.Stats())
		for name, m := range l.Maps {
			if m.group == id {
				info.Tables = append(info.Tables, name)
			}
		}
		slices.Sort(info.Tables)
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b DirectoryInfo) int { return slices.Compare(a.Tables, b.Tables) })
	return infos
}

func directoryInfo(s directory.DirectoryStats) DirectoryInfo {
	info := DirectoryInfo{
		Servers: []ServerInfo{},
		Cache: CacheInfo{Hits: s.Cache.Hits, NegativeHits: s.Cache.NegativeHits, Misses: s.Cache.Misses, Shared: s.Cache.Shared,
			Stale: s.Cache.Stale, Refreshes: s.Cache.Refreshes, Evictions: s.Cache.Evictions, Entries: s.Cache.Entries,
			Negatives: s.Cache.Negatives, Bytes: s.Cache.Bytes, MaxBytes: s.Cache.MaxBytes},
		Doubt:  DoubtInfo{Empties: s.Doubt.Empties, Proofs: s.Doubt.Proofs, Doubts: s.Doubt.Doubts, Bursts: s.Doubt.Bursts},
		Hedged: s.Pool.Hedged, Retried: s.Pool.Retried, Followed: s.Followed, Changes: s.Changes,
	}
	for _, server := range s.Pool.Servers {
		one := ServerInfo{URI: server.URI, State: server.State, Since: server.Since, Connections: server.Connections,
			InFlight: server.InFlight, Searches: server.Searches, Failures: server.Failures}
		if server.Err != nil {
			one.Why = server.Err.Error()
		}
		info.Servers = append(info.Servers, one)
	}
	return info
}
