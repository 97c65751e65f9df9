"""What the templates are called: the page knows nothing of them but the names of their files."""

import pytest
from appearance_transfer.developer.gallery import file_name, gallery
from appearance_transfer.developer.gallery.titles import TITLES

SEEN_FIRST = 33  # characters: the page's search has a threshold of 0.33 and a distance of 100
FOUND_BY = {  # what people type, and a template that they mean
    "appearance": "01_cross_image_attention_pocket",
    "appearance transfer": "01_cross_image_attention_pocket",
    "style transfer": "02_cross_image_attention",
    "texture": "03_two_appearances_with_masks",
    "material": "03_two_appearances_with_masks",
    "texture transfer": "10_splice",
    "sdxl": "32_sdxl",
    "flux": "27_flux1_krea",
    "qwen": "30_qwen_image",
    "dino": "12_vit_feature_inversion",
    "pix2pix": "14_pix2pix_zero_real",
}
LONGEST = 64  # characters that a card shows on two lines


def test_every_workflow_has_a_title_of_its_own() -> None:
    assert list(TITLES) == list(gallery())
    assert len(set(map(str.lower, TITLES.values()))) == len(TITLES)


@pytest.mark.parametrize("workflow", TITLES)
def test_a_title_is_a_file_name_everywhere(workflow) -> None:
    name = file_name(workflow)
    assert name.isascii()
    assert not set(name) & set('<>:"/\\|?*%#')
    assert not name.endswith((".", ".app"))
    assert len(name) <= LONGEST


@pytest.mark.parametrize("typed", FOUND_BY)
def test_people_find_templates_by_their_own_words(typed) -> None:
    assert 0 <= file_name(FOUND_BY[typed]).lower().find(typed) <= SEEN_FIRST
