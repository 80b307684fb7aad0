"""The product on a real Envoy Gateway: a lab of plain processes in a network namespace of its own, and its stories."""
