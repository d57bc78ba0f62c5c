from .landmark_fit import LandmarkFit as LandmarkFit
from .landmark_fit import fit_landmarks2d as fit_landmarks2d
from .landmark_fit import fit_landmarks3d as fit_landmarks3d
from .landmark_fit import initial_coefficients as initial_coefficients
from .objective_fit import FitResult as FitResult
from .objective_fit import StepScales as StepScales
from .objective_fit import fit as fit
