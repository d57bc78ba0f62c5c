from .page import run_app as run_app
from .page import serve_app as serve_app
from .studio import Change as Change
from .studio import Studio as Studio
