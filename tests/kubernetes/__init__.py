"""The Kubernetes runtime on a real API server: etcd and kube-apiserver as plain processes."""
