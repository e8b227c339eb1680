package message

import "strconv"

func itoa(n int) string { return strconv.Itoa(n) }

// oddMessages are messages at the edges of what the layout can hold.
func oddMessages() []string {
	return []string{
		"", "\n", "\r\n", "\r", "\n\n", "a", "a: b", "a: b\n", "a: b\n\n", "a: b\n\n\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b--\nepilogue\n",
		"Content-Type: multipart/mixed; boundary=b\n\n\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n\n--b--\n\n",
		"Content-Type: multipart/mixed; boundary=b\n\np\n--b\n\n\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nA: b\n\n\n--b\n\nx\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nA: b\n\n--b\n\nx\n--b--\n",
		"Content-Type: message/rfc822\n\n",
		"Content-Type: message/rfc822\n\nA: b\n\nx",
		"Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n",
		"Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\n\nx\n--b--",
		"Content-Type:multipart/mixed; boundary=\"b\"\n\n--b\n\nx\n--b--\n",
		"From: a\r\nTo: b\nSubject: c\r\r\n\r\n\rx\r\r\n\r",
		"no header\r\n\r\nbody\r\n", "no header\nFrom: a\n\nbody\n", " \nFrom: a\n\nb", "From x\nFrom: a\n\nb",
	}
}
