package message
type decoder struct{}
func (d *decoder) charset(a, b string) string { return b }
