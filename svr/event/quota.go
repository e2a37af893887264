package event

// QuotaUsed is the alarm of an interface that has used most of its month's
// bytes.
func QuotaUsed(name string) Alarm { return one("data-quota", name, name) }

// QuotaUrgent is the alarm of an interface that has used nearly all of them.
func QuotaUrgent(name string) Alarm { return one("data-quota-urgent", name, name) }
