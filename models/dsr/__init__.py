"""DSR (Zavrtanik, Kristan, Skocaj, ECCV 2022, arXiv:2208.01521): one module of the paper a file, composed in dsr.py."""

from models.dsr.codec import Codec
from models.dsr.config import DSRConfig
from models.dsr.dsr import DSR, Detection

__all__ = ["DSR", "Codec", "DSRConfig", "Detection"]
