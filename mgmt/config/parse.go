package config

import "bytes"

// Parse turns JSON into the typed tree and finds everything that is wrong with
// it, for every router at once.
//
// The tree is nil only if data is no JSON or has no authority object. With
// findings that Failed it holds defaults where the file is wrong: good for a
// further Check, never for a router.
func Parse(data []byte) (*Authority, Findings) {
	b := &builder{}
	top := b.tree(data)
	if top == nil {
		return nil, b.finds.findings()
	}
	auth := top.kid("authority")
	if auth == nil {
		return nil, b.finds.findings()
	}
	b.finds.freeze()
	checkTree(&b.finds, auth)
	return decodeAuthority(auth), b.finds.findings()
}

// tree reads JSON; nil if it is no object.
func (b *builder) tree(data []byte) *entry {
	data = b.skipBOM(data)
	v, err := parseJSON(data)
	if err != nil {
		b.finds.add(Error, "file", place(data, err.off), err.msg, "")
		return nil
	}
	top := &entry{el: root()}
	if v.kind != jObject {
		b.finds.add(Error, "file", "", "is "+v.kind.String()+`, must be an object`, `{"authority": {…}}`)
		return nil
	}
	b.fill(top, v)
	return top
}

// skipBOM refuses a byte order mark and reads on behind it.
func (b *builder) skipBOM(data []byte) []byte {
	mark := []byte("\xef\xbb\xbf")
	if bytes.HasPrefix(data, mark) {
		b.finds.add(Error, "file", "", "starts with a byte order mark", "plain UTF-8")
	}
	return bytes.TrimPrefix(data, mark)
}
