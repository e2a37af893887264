package router

// addNeighbors makes the standard BFD neighbours of the configuration.
func (w *watcher) addNeighbors(used map[uint32]bool) {}
