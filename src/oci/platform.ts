/** A platform as the OCI image index names it (image-spec, "Image Index", `platform`). */
export interface Platform {
  os: string
  architecture: string
  variant?: string
}
