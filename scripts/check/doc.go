// Package check holds the rules of the house as tests: who may import whom, how
// long a function or file may be, that every exported name is explained, that
// no test skips, that links resolve, and what each binary is made of. It has no
// code besides its tests.
package check
