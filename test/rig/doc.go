// Package rig is what the benchmarks share: the testbed's daemons started by a
// program that is no test, programs of ours beside them, the processor time
// and the memory that they use, and the machine that all this was measured on.
package rig
