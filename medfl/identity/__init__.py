"""The people in the files: outputs call them by pseudonyms, and show nothing that names them."""

from medfl.identity.burnt_in import burnt_in_summary, burnt_in_warning
from medfl.identity.file_names import FileNames, plain_path, quoted
from medfl.identity.identifiers import Identifiers, identifiers_in, of_patients, safe_path
from medfl.identity.lookup import find_original, show_originals
from medfl.identity.pseudonyms import Pseudonyms, load_key

__all__ = [
    "FileNames",
    "Identifiers",
    "Pseudonyms",
    "burnt_in_summary",
    "burnt_in_warning",
    "find_original",
    "identifiers_in",
    "load_key",
    "of_patients",
    "plain_path",
    "quoted",
    "safe_path",
    "show_originals",
]
