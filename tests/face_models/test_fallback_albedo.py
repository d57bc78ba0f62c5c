import numpy as np

from mgc_lightning.face_models import load_face_model
from mgc_lightning.face_models.fallback_albedo import OTHER, SKIN, cotangent_laplacian, fallback_albedo


def test_constant_and_smooth_directions():
    model = load_face_model("makehuman", level=0)
    verts, faces = model.mean.numpy(), model.faces.numpy()
    skin = ~(model.region("eyeball_r") | model.region("eyeball_l")).numpy()
    mean, basis = fallback_albedo(verts, faces, skin)
    np.testing.assert_allclose(mean[skin], np.broadcast_to(SKIN, (skin.sum(), 3)))
    np.testing.assert_allclose(mean[~skin], np.broadcast_to(OTHER, ((~skin).sum(), 3)))
    assert basis.shape == (39, len(verts), 3)
    assert (basis[:, ~skin] == 0).all()
    assert (basis[:3, skin].std(axis=1) < 1e-12).all()
    # Each pattern varies, and less than the change of the whole face.
    assert (basis[3:, skin].std(axis=1).max(axis=1) > 1e-3).all()
    assert basis[3:, skin].std(axis=1).max() < np.abs(basis[:3]).max()
    again = fallback_albedo(verts, faces, skin)[1]
    np.testing.assert_array_equal(basis, again)


def test_laplacian_of_a_plane_annihilates_linear_functions():
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    verts = np.stack([x.ravel(), y.ravel(), np.zeros(20)], axis=1)
    corner = (np.arange(3)[:, None] * 5 + np.arange(4)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 6], 1), np.stack([corner, corner + 6, corner + 5], 1)]
    )
    stiffness, mass = cotangent_laplacian(verts, faces)
    inner = [6, 7, 8, 11, 12, 13]
    # Right angles have a cotangent of 0, bounded below by .01.
    assert np.abs((stiffness @ verts)[inner]).max() < 0.05
    assert np.abs(stiffness @ np.ones(20)).max() < 1e-12
    np.testing.assert_allclose(mass.sum(), 12, rtol=1e-6)
