//go:build race

package lmtpd_test

const raceDetector = true
