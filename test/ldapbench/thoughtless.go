package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

// thoughtless is the first argument of this program when it is the server that
// answers from memory: the limit for whoever speaks socketmap_table(5). It
// looks the key up in a map and does nothing else: no folding, no deadline, no
// count, no log.
const thoughtless = "thoughtless-server"

// serveThoughtless serves on a unix socket until it is killed.
func serveThoughtless(path string) error {
	all := answers()
	replies := make(map[string][]byte, len(all))
	for address, found := range all {
		replies[address] = fmt.Appendf(nil, "%d:OK %s,", len("OK ")+len(found), found)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "msg=listening address=unix:"+path)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go answerThoughtlessly(conn, replies)
	}
}

var notFound = []byte("9:NOTFOUND ,")

func answerThoughtlessly(conn net.Conn, replies map[string][]byte) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	buf := make([]byte, 1024)
	for {
		length, err := in.ReadSlice(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(string(length[:len(length)-1]))
		if err != nil || n < 0 || n >= len(buf) {
			return
		}
		request := buf[:n+1] // with the comma
		if _, err := io.ReadFull(in, request); err != nil {
			return
		}
		for i, b := range request {
			if b == ' ' {
				request = request[i+1:]
				break
			}
		}
		reply, ok := replies[string(request[:len(request)-1])]
		if !ok {
			reply = notFound
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}
