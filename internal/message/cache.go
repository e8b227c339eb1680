package message
type cacher struct { m *Message; opt *Options; crlf bool }
func (c *cacher) run() {}
