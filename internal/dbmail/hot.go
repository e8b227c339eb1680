package dbmail

import (
	"bytes"
	"sync"
)

// hotBlobs remembers the content of small blobs that many messages share
// ("Content-Type: text/plain\n" and the like), so that it need not be fetched
// to be compared each time. An id never gets other content: InnoDB gives out
// none twice, and nobody changes blobs. SQLite may give an id out again, but
// there it is looked up by its hash just before.
type hotBlobs struct {
	mu   sync.Mutex
	data map[uint64][]byte
}

const (
	hotSize  = 512  // octets of one blob
	hotCount = 4096 // blobs
)

func (h *hotBlobs) same(id uint64, data []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.data[id]
	return ok && bytes.Equal(known, data)
}

func (h *hotBlobs) learn(id uint64, data []byte) {
	if len(data) > hotSize {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.data == nil || len(h.data) >= hotCount {
		h.data = map[uint64][]byte{}
	}
	h.data[id] = bytes.Clone(data)
}
