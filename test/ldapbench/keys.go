package main

import "math/rand/v2"

// key is an address to look up, and what is to come of it.
type key struct {
	address string
	found   string // the primary address; empty: there is no such address
}

// seed of everything that is chosen at random, so that all runs ask the same.
const seed = 20_000

// makeKeys gives n different addresses in random order: one half that nobody
// has, the other of users by their primary and, every fourth, by their
// alternate address, every fiftieth of a group. n is maxKeys at most.
func makeKeys(n int) []key {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	keys := make([]key, 0, n)
	people, teams := r.Perm(users), r.Perm(groups)
	for i := range n {
		switch half := i / 2; {
		case i%2 == 1:
			keys = append(keys, key{address: missing(i)})
		case half%50 == 49 && half/50 < groups:
			mail := groupMailOf(teams[half/50])
			keys = append(keys, key{mail, mail})
		case half%4 == 3:
			keys = append(keys, key{alternateOf(people[half]), mailOf(people[half])})
		default:
			keys = append(keys, key{mailOf(people[half]), mailOf(people[half])})
		}
	}
	r.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

// maxKeys is how many there can be.
const maxKeys = 2 * users

// answers is all that the directory knows, for the server that answers from
// memory.
func answers() map[string]string {
	all := make(map[string]string, 2*users+groups)
	for n := range users {
		all[mailOf(n)], all[alternateOf(n)] = mailOf(n), mailOf(n)
	}
	for n := range groups {
		all[groupMailOf(n)] = groupMailOf(n)
	}
	return all
}
