"""Docent for editors and agents that speak the Model Context Protocol.

The same tools over two ways in: `docent mcp` on standard input and output, as the local user or
forwarding to a server, and `/mcp` of `docent serve` over streamable HTTP, with the rights of the
token that the request carries.
"""
