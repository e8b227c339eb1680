// Package directory asks LDAP servers (RFC 4511) for all of Gatepost: pooled
// connections with failover, a cache that outlives an outage, and the nouns
// that mail needs: accounts, groups, domains.
//
// An answer is complete or an error: "there is no such entry" is only said
// when a server that is known to be able to say yes has said so.
package directory
