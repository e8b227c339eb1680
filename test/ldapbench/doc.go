// Command ldapbench measures how fast Postfix looks addresses up in a directory
// through gatepost-ldapmap, beside its own two ways to do so and a server that
// answers from memory.
//
// It starts slapd, Postfix and the daemons on loopback, in temporary
// directories. README.md says what the systems are and how to read the table.
package main
