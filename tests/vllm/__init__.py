"""The real engine: vLLM's build for processors, in an environment of its own (`make vllm-test`)."""
