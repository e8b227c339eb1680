// Command bench measures how fast mail is delivered, beside what it could be.
//
// It starts real daemons on loopback, in temporary directories, sends the same
// kind of messages to each over LMTP and prints deliveries per second and the
// time from the first octet of a message's content to its last reply. README.md says what the systems
// are and how to read the table.
package main
