package lmtpd

// afterwards does what a delivery brings about besides, once its copies are on
// disk: d.local tells of whom.
func (d *delivery) afterwards() {}
