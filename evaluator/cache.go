package main

// cache keeps what was compiled from a text. It forgets everything when it is full: simple, and a full one is the exception.
type cache[V any] struct {
	size   int
	values map[string]V
}

func newCache[V any](size int) *cache[V] { return &cache[V]{size, map[string]V{}} }

func (c *cache[V]) get(text string, compile func() (V, error)) (V, error) {
	if value, ok := c.values[text]; ok {
		return value, nil
	}
	value, err := compile()
	if err != nil {
		return value, err
	}
	if len(c.values) >= c.size {
		clear(c.values)
	}
	c.values[text] = value
	return value, nil
}
