# an installed wheel finds its configs and its face model from anywhere
cd /
python - <<'PY'
from mgc_lightning.face_models import load_face_model
from mgc_lightning.files.places import configs_folder

assert (configs_folder() / "quickstart.yaml").is_file(), configs_folder()
assert "site-packages" in str(configs_folder()), configs_folder()
print(load_face_model().faces.shape)
PY
