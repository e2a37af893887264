package config_test

import (
	"testing"

	"waymark/mgmt/config"
)

func TestServiceParents(t *testing.T) {
	a := &config.Authority{
		Security: []config.Security{{Name: "k", Encrypt: true}},
		Services: []config.Service{{Name: "web", Security: "k"}, {Name: "a.web"}, {Name: "x.y.web"}, {Name: "lone"}, {Name: "a.b"}},
	}
	for _, c := range []struct{ name, parent, security string }{
		{"web", "", "k"}, {"a.web", "web", "k"}, {"x.y.web", "web", "k"}, {"lone", "", ""}, {"a.b", "", ""},
	} {
		parent, security := "", ""
		if p := a.Parent(a.FindService(c.name)); p != nil {
			parent = p.Name
		}
		s := a.SecurityOf(a.FindService(c.name))
		if s != nil {
			security = s.Name
		}
		same(t, "parent of "+c.name, parent, c.parent)
		same(t, "security of "+c.name, security, c.security)
		same(t, c.name+" is clear", s.Clear(), c.security == "")
	}
}

func TestAppliesToRouter(t *testing.T) {
	r := &config.Router{Name: "r", Groups: []string{"g"}}
	for _, c := range []struct {
		a    []config.AppliesTo
		want bool
	}{
		{nil, true},
		{[]config.AppliesTo{{Type: "authority"}}, true},
		{[]config.AppliesTo{{Type: "router", Routers: []string{"x", "r"}}}, true},
		{[]config.AppliesTo{{Type: "router", Routers: []string{"x"}}}, false},
		{[]config.AppliesTo{{Type: "router-group", Groups: []string{"g"}}}, true},
		{[]config.AppliesTo{{Type: "router-group", Groups: []string{"r"}}, {Type: "router", Routers: []string{"x"}}}, false},
	} {
		s := &config.Service{AppliesTo: c.a}
		if got := s.AppliesToRouter(r); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.a, got, c.want)
		}
	}
}

func TestProtocolNumber(t *testing.T) {
	for p, want := range map[config.Protocol][2]uint8{
		config.ProtoTCP: {6, 6}, config.ProtoUDP: {17, 17}, config.ProtoICMP: {1, 58}, config.ProtoAny: {0, 0},
	} {
		if got := [2]uint8{p.Number(4), p.Number(6)}; got != want {
			t.Errorf("%q: got %v, want %v", p, got, want)
		}
	}
}
