package message

import (
	"testing"
	"time"
)

var wordCases = []struct{ in, out string }{
	{"plain", "plain"},
	{"a = b ? c", "a = b ? c"},
	{"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"},
	{"=?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"},
	{"=?utf-8?B?R3LDvMOfZQ?=", "Grüße"}, // no padding
	{"=?iso-8859-1?Q?a_=FC?= b", "a ü b"},
	{"=?iso-8859-15?Q?=A4?=", "€"},
	{"=?koi8-r?B?8NLJ18XU?=", "Привет"},
	{"=?gb2312?B?xOO6ww==?=", "你好"},
	{"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"},
	{"=?big5?B?p0GmbqFB?=", "你好，"},
	{"=?cp850?Q?=81?=", "ü"},
	{"=?utf-8*de?Q?=C3=BC?=", "ü"},
	{"=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"},
	{"=?utf-8?Q?a?=\n =?utf-8?Q?b?=", "ab"},
	{"=?utf-8?Q?a?= x =?utf-8?Q?b?=", "a x b"},
	{"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"}, // a character cut in two
	{"=?utf-8?Q?=C3?= =?iso-8859-1?Q?=BC?=", "?¼"},
	{"x=?utf-8?Q?=C3=BC?=y", "xüy"},
	{"=?utf-8?Q?a b?=", "a b"},
	{"=?utf-8?Q?a", "=?utf-8?Q?a"},
	{"=?utf-8?X?a?=", "=?utf-8?X?a?="},
	{"=?nonsense?Q?a=FC?=", "aü"},
	{"=?nonsense?Q?=C3=BC?=", "ü"},
	{"=?utf-8?Q?=00?=", "?"},
	{"Gr\xfc\xdfe", "Grüße"},
	{"Grüße", "Grüße"},
	{"\x80", "€"},
	{"=??Q?a?=", "=??Q?a?="},
}

func TestWords(t *testing.T) {
	for _, c := range wordCases {
		dec := decoder{}
		if got := dec.text(c.in); got != c.out {
			t.Errorf("%q is %q, want %q", c.in, got, c.out)
		}
	}
}

func TestBaseSubject(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"Foo":                    "foo",
		"Re: foo":                "foo",
		"RE: Fwd: fw: foo":       "foo",
		"Re [x]: foo":            "foo",
		"Re : foo":               "foo",
		"[x] [y] Re: [z] foo":    "foo",
		"[only]":                 "[only]",
		"Re: [only]":             "[only]",
		"foo (fwd)":              "foo",
		"foo (FWD) (fwd)":        "foo",
		"[Fwd: foo]":             "foo",
		"Re: [Fwd: Re: foo] ":    "foo",
		"report":                 "report",
		"Re":                     "re",
		"Re [x] foo":             "re [x] foo",
		"a \t  b":                "a b",
		"a subject\r\n goes  on": "a subject\r\n goes on",
		"ÜBER":                   "über",
		":: foo":                 "foo",
		"Re:":                    "",
	} {
		if got := baseSubject(in); got != want {
			t.Errorf("base subject of %q is %q, want %q", in, got, want)
		}
	}
}

func TestDate(t *testing.T) {
	for in, want := range map[string]string{
		"Tue, 03 Nov 2026 09:30:15 +0100":               "2026-11-03 09:30:15",
		"3 Nov 2026 09:30 GMT":                          "2026-11-03 09:30:00",
		"Tue,\r\n 03 Nov 2026\r\n 09:30:15 +0100 (CET)": "2026-11-03 09:30:15",
		"Tue Nov  3 09:30:15 2026":                      "2026-11-03 09:30:15",
		"Tue Nov  3 09:30:15 CET 2026":                  "2026-11-03 09:30:15",
		"2026-11-03 09:30:15 +0100":                     "2026-11-03 09:30:15",
		"2026-11-03T09:30:15Z":                          "2026-11-03 09:30:15",
		"3-Nov-2026 09:30:15":                           "2026-11-03 09:30:15",
		"03 November 26 9:30:15 pm":                     "2026-11-03 09:30:15",
		"Fri, 3 Nov 95 09:30:15 EST":                    "1995-11-03 09:30:15",
		"3 Nov 126 09:30:15":                            "2026-11-03 09:30:15",
		"Sat, 31 Dec 2016 23:59:60 +0000":               "2016-12-31 23:59:59",
		"31 Feb 2026 09:30:15":                          "",
		"3 Nov 2026 24:30:15":                           "",
		"yesterday around tea time":                     "",
		"":                                              "",
		"Tue, 03 Nov":                                   "",
		"999999999999 Nov 2026":                         "",
	} {
		got := ""
		if at, ok := parseDate(in); ok {
			got = at.Format(time.DateTime)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
