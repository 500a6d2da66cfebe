"""Papers of CDS, INSPIRE and arXiv: their records, abstracts and full texts."""

from ingest.sources.papers.source import PapersSource, access_of

__all__ = ["PapersSource", "access_of"]
