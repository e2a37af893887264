// Package factory is the configuration of a box that nobody configured yet:
// every WAN port asks its network for an address, so that the box can find its
// conductor, and nothing is forwarded.
package factory

import (
	"encoding/json"
	"fmt"
)

// Router is the name of the router in it.
const Router = "unconfigured"

type object = map[string]any

// Config is the configuration for a box whose WAN ports have these names.
func Config(wans []string) ([]byte, error) {
	devices := []object{}
	for _, port := range wans {
		devices = append(devices, object{
			"name": port, "type": "ethernet", "target-interface": port,
			"network-interface": []object{{"name": port, "dhcp": "v4"}},
		})
	}
	file := object{"authority": object{
		"name":     "factory",
		"security": []object{{"name": "none", "encrypt": false, "hmac-mode": "disabled"}}, // there are no peers
		"router": []object{{
			"name": Router, "inter-node-security": "none",
			"node": []object{{"name": "node1", "role": "combo", "device-interface": devices}},
		}},
	}}
	b, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write factory configuration: %w", err)
	}
	return append(b, '\n'), nil
}
