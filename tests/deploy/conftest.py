from tests.web.conftest import assistant, new_state, services, settings

__all__ = ["assistant", "new_state", "services", "settings"]
