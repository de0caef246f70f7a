/**
 * Names of images in files that hold several: `scan.dcm#frame=12` is the twelfth frame of scan.dcm, counted from 1 as DICOM
 * counts; `scan.nii.gz#frame=12` the twelfth axial slice from below.
 */

/** The file that an image's name stands for, and which of its frames; null where the name chooses none. */
export function imageFile(name: string): { readonly file: string; readonly frame: number | null } {
  const [, file, frame] = /^(.+)#frame=([1-9]\d{0,8})$/s.exec(name) ?? [];
  return file === undefined ? { file: name, frame: null } : { file, frame: Number(frame) };
}
