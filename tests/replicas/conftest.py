from tests.web.state.conftest import postgres

__all__ = ["postgres"]
